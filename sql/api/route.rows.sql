-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (
  method, path, function, scope, tag, position, problems, request, answer, form, statuses, headers, rule, examples
)
values
  ('GET', '/leads', 'api.list_leads', 'read', 'Leads', 1,
    '{invalid_parameter,validation_failed}',
    null, 'api.lead_item', 'page', null, null, null, null),
  ('POST', '/leads', 'api.create_lead', 'write', 'Leads', 2,
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress,erased}',
    'api.lead_input', 'api.lead_item', 'object', '{201}', '{Location,ETag}', '{"allOf":["$body",{"anyOf":[{"required":["email"],"properties":{"email":{"type":"string"}}},'
      '{"required":["name","company"],"properties":{"name":{"type":"string"},"company":{"type":"string"}}}]}]}',
    '{"201": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 0, "pipeline_stage": "new", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:05.114Z"}}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', 'Leads', 3,
    '{invalid_parameter,not_found}',
    null, 'api.lead', 'object', null, '{ETag}', null, null),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write', 'Leads', 4,
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}',
    'api.lead_input', 'api.lead_change', 'object', null, '{ETag}', null,
    '{"request": {"pipeline_stage": "won", "lead_score": 92}}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write', 'Scoring', 1,
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased}',
    'api.signal_input', 'api.signal', 'one_or_list', '{201}', null, '{"oneOf":[{"allOf":["$body",{"required":["type"]}]},{"type":"object","required":["signals"],"properties":{"signals":'
      '{"type":"array","minItems":1,"maxItems":200,"items":{"allOf":["$body",{"required":["type"]}]}}},'
      '"additionalProperties":false}]}', null),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', 'Scoring', 2,
    '{invalid_parameter,not_found}',
    null, 'api.signal', 'page', null, null, null, null),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write', 'Scoring', 3,
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress,erased}',
    null, 'api.new_score', 'object', null, '{ETag}', null, null),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read', 'Scoring', 4,
    '{invalid_parameter,not_found}',
    null, 'api.score', 'page', null, null, null, null),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read', 'CRM', 2,
    '{invalid_parameter,not_found}',
    null, 'api.lead_sync', 'object', null, null, null, null),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin', 'CRM', 3,
    '{invalid_parameter}',
    null, 'api.crm_connection', 'page', null, null, null, null),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', 'Audit log', 1,
    '{invalid_parameter,validation_failed}',
    null, 'api.audit_event', 'page', null, null, null, null),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', 'Audit log', 2,
    '{invalid_parameter,not_found}',
    null, 'api.audit_event', 'object', null, '{ETag}', null, null),
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin', 'Audit log', 3,
    '{invalid_parameter}',
    null, 'api.chain_verdict', 'object', null, null, null, null),
  ('GET', '/organizations/me', 'api.get_organization', 'read', 'Organization', 1,
    '{invalid_parameter}',
    null, 'api.organization', 'object', null, null, null, null),
  ('GET', '/health', 'api.get_health', 'read', 'Organization', 2,
    '{invalid_parameter}',
    null, 'api.health', 'object', null, null, null, null);

-- The worker makes the answer: who asks waits for it, without a connection.
insert into api.route (
  method, path, function, scope, tag, position, problems, request, answer, form, statuses, headers, rule, examples,
  wait_seconds, wait_function
)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write', 'CRM', 1,
    '{invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased,'
    'crm_not_configured,crm_outcome_unknown,crm_rejected,crm_unavailable}',
    null, 'api.lead_sync', 'object', '{200,202}', null, null,
    '{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": null, "status": "pending", "last_synced_at": null}}}',
    10, 'api.get_push');
