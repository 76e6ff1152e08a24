//! Whole judgements by the building blocks of EN 319 102-1: each scenario with its indication, sub-indication and best
//! signature time.

mod archives;
mod attacks;
mod budgets;
mod constraints;
mod failed;
mod indeterminate;
mod passed;
mod sliding;
mod timestamps;
mod world;
