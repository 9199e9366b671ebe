"""The organizers' loop at home: every case in a fresh container, timed from outside and checked."""
