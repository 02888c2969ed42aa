"""Which of many differences made it go wrong: searched by executions, proved by executions."""
