-- crm.contact - a lead as the CRM is told of it.
set local role leads_jobs;

create or replace function crm.contact(lead app.lead_values, sync_id uuid)
returns json
language sql
stable
security invoker
begin atomic
  select json_build_object(
    'lead_id', (lead).id,
    'sync_id', contact.sync_id,
    'display_name', coalesce((lead).name, (lead).company, (lead).email),
    'name', (lead).name,
    'company', (lead).company,
    'email', (lead).email,
    'source', (lead).source,
    'description', concat_ws(
      E'\n',
      format('Score %s, stage %s.', (lead).lead_score, (lead).pipeline_stage),
      'Reasons: ' || (lead).ai_reasoning,
      'Timeline: ' || (lead).timeline,
      'Budget: ' || (lead).budget_range,
      'Industry: ' || (lead).industry,
      'Company size: ' || (lead).company_size,
      'Pain points: ' || (lead).pain_points
    ),
    'lead', app.lead_whole(lead)
  );
end;

comment on function crm.contact(app.lead_values, uuid) is
  'The lead''s fields that an adapter names in the vendor''s words, with display_name (the name, else the company, else the '
  'address), description (what is known, a line each) and the whole lead as the API shows it.';
