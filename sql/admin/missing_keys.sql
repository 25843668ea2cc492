-- admin.missing_keys - those of some keys that the workers of this cell don't have, at the target of a move.
set local role leads_jobs;

create or replace function admin.missing_keys(key_ids text[])
returns setof text language sql stable security definer
begin atomic
  select n.key_id
  from unnest(missing_keys.key_ids) as n (key_id)
  where not exists (select from webhook.sealing_key as k where k.key_id = n.key_id);
end;

comment on function admin.missing_keys(text[]) is
  'The ids among them that no worker of this database has announced. key_ids: of the workers'' keys, as admin.needed_keys returns them.';

grant execute on function admin.missing_keys(text[]) to leads_operator;
