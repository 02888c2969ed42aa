"""Where program and world meet: lanes, calls and the one door. Knows neither recording nor replaying."""
