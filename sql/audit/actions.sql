-- audit.actions - the actions of events.
set local role leads_audit;

create or replace function audit.actions()
returns text[] language sql immutable parallel safe
begin atomic
  select array[
    'lead.created', 'lead.updated', 'lead.scored', 'lead.deleted', 'lead.erased', 'lead.read',
    'lead.crm_push_requested', 'lead.crm_pushed', 'lead.crm_push_failed', 'lead.crm_push_skipped',
    'crm_connection.created', 'crm_connection.updated', 'crm_connection.deleted',
    'crm_sync.updated', 'crm_sync.deleted',
    'signal.created', 'signal.updated', 'signal.deleted',
    'score.deleted',
    'scoring_model.created', 'scoring_model.updated', 'scoring_model.deleted',
    'api_key.created', 'api_key.rotated', 'api_key.updated', 'api_key.revoked', 'api_key.deleted',
    'analyst.created', 'analyst.updated', 'analyst.deleted',
    'organization.created', 'organization.updated', 'organization.deleted', 'organization.erased',
    'form.created', 'form.updated', 'form.deleted',
    'webhook.created', 'webhook.updated', 'webhook.deleted',
    'pipeline_stage.created', 'pipeline_stage.updated', 'pipeline_stage.deleted',
    'audit.retired'
  ];
end;

comment on function audit.actions() is
  'The actions that an event can have. The filter of the API accepts these. A table that audit.tg_record records needs its '
  'own here.';

grant execute on function audit.actions() to leads_exec, leads_jobs;
