//! Pipeline definition files: validate, plan, run, resume.
