"""What it costs to send a parcel, and how long it takes."""
