-- app.idempotency_key - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.idempotency_key');
call app.check_arrivals('app.idempotency_key');
