-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (method, path, function, scope, problems)
values
  ('GET', '/leads', 'api.list_leads', 'read', '{invalid_parameter,validation_failed}'),
  ('POST', '/leads', 'api.create_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress,erased}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', '{invalid_parameter,not_found}'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased}'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', '{invalid_parameter,not_found}'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write',
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress,erased}'),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin', '{invalid_parameter}'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', '{invalid_parameter,validation_failed}'),
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin', '{invalid_parameter}'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/health', 'api.get_health', 'read', '{invalid_parameter}'),
  ('GET', '/organizations/me', 'api.get_organization', 'read', '{invalid_parameter}');

-- The worker makes the answer: who asks waits for it, without a connection.
insert into api.route (method, path, function, scope, problems, wait_seconds, wait_function)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write',
    '{invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased,crm_not_configured,'
    'crm_outcome_unknown,crm_rejected,crm_unavailable}',
    10, 'api.get_push');
