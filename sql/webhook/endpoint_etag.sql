-- webhook.endpoint_etag - the entity tag of a webhook.
set local role leads_owner;

create or replace function webhook.endpoint_etag(item api.webhook)
returns text language sql stable parallel safe
begin atomic
  select '"' || encode(sha256(convert_to(row_to_json(endpoint_etag.item)::text, 'UTF8')), 'hex') || '"';
end;

comment on function webhook.endpoint_etag(api.webhook) is
  'A strong entity tag (RFC 9110, section 8.8.3). It changes with everything that the API shows of the webhook.';

grant execute on function webhook.endpoint_etag(api.webhook) to leads_exec;
