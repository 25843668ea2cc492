-- audit.seal_mark - a part of the hash of a seal, by which a cursor recognizes the database.
set local role leads_owner;

create or replace function audit.seal_mark(organization_id uuid, "position" bigint)
returns text language sql stable parallel safe
begin atomic
  select case
    when seal_mark.position = 0 then encode(substr(sha256(uuid_send(seal_mark.organization_id)), 1, 8), 'hex')
    else (
      select encode(substr(s.hash, 1, 8), 'hex')
      from audit.seal as s
      where s.organization_id = seal_mark.organization_id and s.position = seal_mark.position
    )
  end;
end;

comment on function audit.seal_mark(uuid, bigint) is
  'The first 8 bytes of the hash of the seal at a position, in hexadecimal digits. 0 is the beginning of the chain. Null: there '
  'is no such seal.';

grant execute on function audit.seal_mark(uuid, bigint) to leads_exec;
