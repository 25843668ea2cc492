-- api.shape - what the reference says about the types of schema api.
set local role leads_owner;

delete from api.shape;

insert into api.shape (type, relation, never_null, fields, example)
values
  ('api.lead_item', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": null, "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": "residential", "company_size": null, "pain_points": "Recurring basement moisture after spring rain", "timeline": "this_week", "budget_range": null, "ai_reasoning": "High urgency: water damage signal, recent storm event, in-radius", "qualification_completed_at": "2026-04-27T13:22:09.218Z", "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead_change', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 92, "pipeline_stage": "won", "updated_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.lead_input', 'app.lead', '{}', '{}',
    '{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "industry": "residential", "pipeline_stage": "new"}'),
  ('api.signal', 'scoring.signal', '{}',
    '{"value":{"$ref":"#/components/schemas/SignalValue"}}',
    '{"id": "01a15d1d-53d4-7897-a198-06530f93fb05", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00.000Z", "dedupe_key": null, "created_at": "2026-04-27T13:22:06.030Z"}'),
  ('api.signal_input', 'scoring.signal', '{type}',
    '{"value":{"$ref":"#/components/schemas/SignalValue"}}',
    '{"type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00Z"}'),
  ('api.score', 'scoring.score', '{}',
    '{"contributions":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Contribution"}}}',
    '{"id": "01a15d1f-77aa-7be0-9d1c-2f6a0b1c3d4e", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "kind": "set", "lead_score": 92, "ai_reasoning": null, "model": null, "model_version": null, "base": null, "contributions": null, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.new_score', 'scoring.score', '{id,lead_score,ai_reasoning,scored_at}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "lead_score": 91, "ai_reasoning": "Recent storm event in service radius (+0.18); phone validated (+0.10); fast form completion (+0.08)", "scored_at": "2026-04-27T19:01:15.214Z"}'),
  ('api.crm_sync', 'crm.sync', '{}', '{}', null),
  ('api.lead_sync', null, '{id}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": "jn_117422", "status": "ok", "last_synced_at": "2026-04-27T19:03:42.118Z"}}'),
  ('api.crm_connection', 'crm.connection', '{}',
    '{"settings":{"$ref":"#/components/schemas/CrmConnectionSettings"}}',
    '{"id": "01a15d20-0b2c-7d3e-8f4a-5b6c7d8e9fa0", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "vendor": "jobnimbus", "account": "default", "state": "active", "fault": null, "push_stage": "qualified", "settle_seconds": 60, "settings": {"record_type_name": "Customer", "status_name": "Lead"}, "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.audit_event', 'audit.event', '{}',
    '{"payload":{"$ref":"#/components/schemas/AuditPayload"}}',
    '{"id": "01a15d1e-0a5c-7c11-8a3c-5d1f1d6c2a91", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "action": "lead.updated", "source": "api", "correlation_id": "4f6c1c0e8d3b4a8c9a35c8f2b1d7e640", "payload": {"lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "diff": {"pipeline_stage": {"from": "qualified", "to": "won"}, "lead_score": {"from": 87, "to": 92}}, "key_id": "3f0d5a52-3c7e-4d6f-9a64-7d1b0a2e4c11"}, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.chain_verdict', null, '{organization_id,holds,verified_from,verified_to,unsealed}', '{}',
    '{"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "holds": true, "fault": null, "verified_from": 1, "verified_to": 583, "next_after": null, "head": "583:fcc5b98b28bdea1ea9f95e5f1a7f529ca275366987c4743222202462510eaf54", "unsealed": 0}'),
  ('api.chain_fault', null, '{code,detail}',
    '{"code":{"type":"string","enum":["head_mismatch","seal_missing","event_missing","hash_mismatch","payload_mismatch","not_sealed"]}}', null),
  ('api.organization', 'app.organization', '{id,name,pipeline_stages}', '{}',
    '{"id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Acme Restoration", "environment": "live", "pipeline_stages": ["new", "contacted", "qualified", "proposal", "won", "lost"], "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.health', 'app.organization', '{status,organization_id,environment,scopes}',
    '{"status":{"type":"string","enum":["ok"]},"scopes":{"type":"array","items":{"type":"string","enum":["read","write","admin"]}}}',
    '{"status": "ok", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "environment": "live", "scopes": ["read", "write"]}');
