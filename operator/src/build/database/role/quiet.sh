export PGCONNECT_TIMEOUT=10
# Neither a password nor a statement that holds one comes into a log of the server, whatever it is told to log.
export PGOPTIONS='-c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1
  -c log_min_duration_sample=-1 -c log_transaction_sample_rate=0 -c log_duration=off -c pg_stat_statements.track=none
  -c client_min_messages=warning -c lock_timeout=10s'
