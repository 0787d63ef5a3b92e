//! A function's processes: started on demand, used again while warm, stopped when idle.
