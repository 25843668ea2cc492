-- audit.tg_lead__record - records every change of a lead in the audit log.
set local role leads_audit;

create or replace function audit.tg_lead__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_scored boolean := tg_op = 'UPDATE' and new.score_id is distinct from old.score_id and new.score_id is not null;
  v_diff text;
begin
  -- The columns are written out because a loop over them costs three times as much. On INSERT, old
  -- is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.name is distinct from new.name then
      '"name":' || json_build_object('from', old.name, 'to', new.name) end,
    case when old.company is distinct from new.company then
      '"company":' || json_build_object('from', old.company, 'to', new.company) end,
    case when old.email is distinct from new.email then
      '"email":' || json_build_object('from', old.email, 'to', new.email) end,
    case when old.source is distinct from new.source then
      '"source":' || json_build_object('from', old.source, 'to', new.source) end,
    case when old.pipeline_stage is distinct from new.pipeline_stage then
      '"pipeline_stage":' || json_build_object('from', old.pipeline_stage, 'to', new.pipeline_stage) end,
    case when old.lead_score is distinct from new.lead_score then
      '"lead_score":' || json_build_object('from', old.lead_score, 'to', new.lead_score) end,
    case when old.industry is distinct from new.industry then
      '"industry":' || json_build_object('from', old.industry, 'to', new.industry) end,
    case when old.company_size is distinct from new.company_size then
      '"company_size":' || json_build_object('from', old.company_size, 'to', new.company_size) end,
    case when old.pain_points is distinct from new.pain_points then
      '"pain_points":' || json_build_object('from', old.pain_points, 'to', new.pain_points) end,
    case when old.timeline is distinct from new.timeline then
      '"timeline":' || json_build_object('from', old.timeline, 'to', new.timeline) end,
    case when old.budget_range is distinct from new.budget_range then
      '"budget_range":' || json_build_object('from', old.budget_range, 'to', new.budget_range) end,
    case when old.ai_reasoning is distinct from new.ai_reasoning then
      '"ai_reasoning":' || json_build_object('from', old.ai_reasoning, 'to', new.ai_reasoning) end,
    case when old.phone is distinct from new.phone then
      '"phone":' || json_build_object('from', old.phone, 'to', new.phone) end,
    case when old.reference is distinct from new.reference then
      '"reference":' || json_build_object('from', old.reference, 'to', new.reference) end,
    case when old.details is distinct from new.details then
      '"details":' || audit.details_change(old.details, new.details) end,
    case when old.qualification_completed_at is distinct from new.qualification_completed_at then
      '"qualification_completed_at":' || json_build_object(
        'from', app.utc_text(old.qualification_completed_at), 'to', app.utc_text(new.qualification_completed_at)
      ) end
  );
  if tg_op = 'UPDATE' and v_diff = '' and not v_is_scored then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case
      when v_is_scored then 'lead.scored'
      when tg_op = 'INSERT' then 'lead.created'
      when tg_op = 'UPDATE' then 'lead.updated'
      else 'lead.deleted'
    end,
    coalesce(new.id, old.id),
    concat(
      '"lead_id":"', coalesce(new.id, old.id), '"',
      case when v_is_scored then ',"score_id":"' || new.score_id || '"' end,
      ',"diff":{', v_diff, '}'
    )
  );
  return null;
end $$;

comment on function audit.tg_lead__record() is
$$Trigger: writes lead.created, lead.updated, lead.deleted or, if a model's score changed the lead, lead.scored.

The payload's diff has {"field": {"from": …, "to": …}} for each changed field: the fields of POST, and
qualification_completed_at. from and to of details have the changed members only.$$;

grant execute on function audit.tg_lead__record() to leads_owner;
