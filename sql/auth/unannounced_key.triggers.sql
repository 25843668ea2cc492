-- auth.unannounced_key - the trigger that protects the keys that the router does not know.
set local role leads_auth;
call app.drop_triggers('auth.unannounced_key');

create trigger _100_refuse_truncate before truncate on auth.unannounced_key
  for each statement execute function audit.tg_refuse('Without its rows, a new key is shown before the router knows it.');
