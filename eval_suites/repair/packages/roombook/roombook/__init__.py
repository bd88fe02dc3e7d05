"""Meeting rooms, their bookings, and the rules for them."""
