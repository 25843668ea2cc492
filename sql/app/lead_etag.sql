-- app.lead_etag - the entity tag of a lead.
set local role leads_owner;

create or replace function app.lead_etag(revision integer)
returns text language sql stable parallel safe
begin atomic
  select '"' || revision || '.' || api.schema_version() || '"';
end;

comment on function app.lead_etag(integer) is
  'A strong entity tag (RFC 9110, section 8.8.3). It changes with every change of the lead, and with the version of the '
  'schema, which may show the lead differently.';

grant execute on function app.lead_etag(integer) to leads_exec;
