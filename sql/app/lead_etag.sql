-- app.lead_etag - the entity tag of a lead.
set local role leads_owner;

create or replace function app.lead_etag(revision integer)
returns text
language sql
stable
parallel safe
begin atomic
  select '"' || revision || '.' || api.schema_version() || '"';
end;

comment on function app.lead_etag(integer) is
  'A strong entity tag (RFC 9110, section 8.8.3): another one after every change of the lead, and where a new version of '
  'the schema may show it otherwise.';

grant execute on function app.lead_etag(integer) to leads_exec;
