-- auth.key_use - the trigger that protects the last uses of keys.
set local role leads_auth;
call app.drop_triggers('auth.key_use');

create trigger _100_refuse_truncate before truncate on auth.key_use
  for each statement execute function audit.tg_refuse('Without its rows, keys that are in use seem unused.');
