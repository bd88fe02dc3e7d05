"""Five-field schedules: parse, match, walk and describe."""
