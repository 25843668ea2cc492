-- api.score_lead - POST /leads/{id}/score.
set local role leads_exec;

create or replace function api.score_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, score_lead.idempotency_key, score_lead.idempotency_wait,
    concat('POST /leads/', score_lead.id, '/score')
  );
  v_score api.new_score;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_score := scoring.score_lead(v_organization_id, score_lead.id);
  if v_score.id is null then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(v_score)::text
  into v_answer
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = score_lead.id;
  if score_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, score_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.score_lead(uuid, api.idempotency_key, integer) is
$$Score a lead.

The organization's scoring model, or the default model, computes the score from the latest signal of each type. The API
writes lead_score and ai_reasoning: the reasons with their contributions, strongest first. They stay until the next
score, or until someone changes them. The history keeps each score, and the audit log records lead.scored. A body is
ignored.$$;

grant execute on function api.score_lead(uuid, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document('api.score_lead', tag => 'Scoring', answer => 'api.new_score', headers => '{ETag}');
