-- auth.key_id - the id of the key that the request proved, for the audit log.
set local role leads_auth;

create or replace function auth.key_id()
returns uuid language sql stable parallel safe security definer
begin atomic
  select k.id from auth.claimed_key as k;
end;

comment on function auth.key_id() is 'The id of the key that this transaction has proven; null if there is none.';

grant execute on function auth.key_id() to leads_audit, leads_intake;
