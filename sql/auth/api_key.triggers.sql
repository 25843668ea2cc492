-- auth.api_key - the triggers of the API keys.
set local role leads_auth;
call app.drop_triggers('auth.api_key');

create trigger _100_refuse_truncate before truncate on auth.api_key
  for each statement execute function audit.tg_refuse('Revoke keys instead, which records each change.');

create trigger _120_keep_identity before update on auth.api_key
  for each row when ((old.organization_id, old.id, old.created_at) is distinct from (new.organization_id, new.id, new.created_at))
  execute function audit.tg_refuse('organization_id, id and created_at never change.');

create trigger _130_mark_draining before insert on auth.api_key
  for each row execute function auth.tg_api_key__mark_draining();

create trigger _900_record after insert or update or delete on auth.api_key
  for each row execute function audit.tg_record('api_key', 'id', 'is_fenced', 'is_draining');

create trigger _950_announce after insert on auth.api_key
  for each row execute function auth.tg_api_key__announce();
