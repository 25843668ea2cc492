-- api.route - the routes: a line for each endpoint.
set local role leads_owner;
delete from api.route;

insert into api.route (method, path, function, scope)
values
  ('GET', '/leads', 'api.list_leads', 'read'),
  ('POST', '/leads', 'api.create_lead', 'write'),
  ('PUT', '/leads/by-reference/{reference}', 'api.put_lead', 'write'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read'),
  ('DELETE', '/leads/{id}', 'api.delete_lead', 'admin'),
  ('GET', '/leads/{id}/details', 'api.get_lead_details', 'read'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write'),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read'),
  ('GET', '/leads/{id}/everything', 'api.get_lead_everything', 'admin'),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read'),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin'),
  ('GET', '/forms', 'api.list_forms', 'admin'),
  ('POST', '/forms', 'api.create_form', 'admin'),
  ('GET', '/webhooks', 'api.list_webhooks', 'admin'),
  ('POST', '/webhooks', 'api.create_webhook', 'admin'),
  ('GET', '/webhooks/{id}', 'api.get_webhook', 'admin'),
  ('DELETE', '/webhooks/{id}', 'api.delete_webhook', 'admin'),
  ('POST', '/webhooks/{id}/rotate-secret', 'api.rotate_webhook_secret', 'admin'),
  ('GET', '/keys', 'api.list_keys', 'admin'),
  ('POST', '/keys', 'api.create_key', 'admin'),
  ('DELETE', '/keys/{id}', 'api.delete_key', 'admin'),
  ('POST', '/keys/{id}/rotate', 'api.rotate_key', 'admin'),
  ('POST', '/webhooks/{id}/test', 'api.test_webhook', 'admin'),
  ('GET', '/webhooks/{id}/deliveries', 'api.list_webhook_deliveries', 'admin'),
  ('POST', '/webhooks/{id}/deliveries/{delivery_id}/redeliver', 'api.redeliver_webhook', 'admin'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read'),
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin'),
  ('GET', '/organizations/me', 'api.get_organization', 'read'),
  ('GET', '/health', 'api.get_health', 'read');

insert into api.route (method, path, function, scope, media_types)
values
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write', '{application/json,application/merge-patch+json}'),
  ('PATCH', '/leads/{id}/details', 'api.update_lead_details', 'write', '{application/json,application/merge-patch+json}');

-- skip_missed can change many deliveries.
insert into api.route (method, path, function, scope, media_types, timeout_seconds)
values
  ('PATCH', '/webhooks/{id}', 'api.update_webhook', 'admin', '{application/json,application/merge-patch+json}', 120);

insert into api.route (method, path, function, scope, media_types, max_body_bytes, timeout_seconds)
values
  (
    'POST', '/leads/bulk', 'api.store_leads', 'write', '{application/json,application/x-ndjson,text/csv}', 16777216, 120
  );

-- The token of a form is the key. A form with photos may have 16 MiB, of which the server keeps the fields.
insert into api.route (method, path, function, scope, media_types, max_body_bytes, key_parameter)
values
  ('POST', '/in/{token}', 'api.submit_form', 'form', '{*/*}', 262144, 'token'),
  ('OPTIONS', '/in/{token}', 'api.preflight_form', 'form', '{*/*}', 262144, 'token');

insert into api.route (method, path, function, scope, is_streamed)
values
  ('GET', '/leads/export', 'api.export_leads', 'read', true),
  ('GET', '/audit-log/export', 'api.export_audit_events', 'read', true);

-- The worker makes the answer. A client that waits for it holds no database connection.
insert into api.route (method, path, function, scope, wait_seconds, wait_function)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write', 10, 'api.get_push');

-- Servers read the routes and the functions' signatures again when this is committed.
call app.notify('leads_routes');
