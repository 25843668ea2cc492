-- auth.position_key - the trigger that protects the keys of positions.
set local role leads_auth;
call app.drop_triggers('auth.position_key');

create trigger _100_refuse_truncate before truncate on auth.position_key
  for each statement execute function audit.tg_refuse('Without its rows, no position that a client has is known.');
