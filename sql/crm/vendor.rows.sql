-- crm.vendor - the CRMs.
set local role leads_owner;
delete from crm.vendor;

insert into crm.vendor (name, title, has_search, needs_name, settle_seconds, calls_at_once, calls, call_seconds)
values
  -- Its limit is undocumented: Retry-After and the backoff answer its 429.
  ('jobnimbus', 'JobNimbus', true, true, 10, 8, null, null),
  -- https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
  ('hubspot', 'HubSpot', true, false, 5, 8, 190, 10),
  -- https://www.standardwebhooks.com: the receiver drops repeats by webhook-id.
  ('webhook', 'Webhook', false, false, 0, 8, null, null);
