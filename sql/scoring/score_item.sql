-- scoring.score_item - an entry in the history of a lead's score, as the API shows it.
set local role leads_owner;

create or replace function scoring.score_item(score scoring.score)
returns api.score
language sql
stable
parallel safe
begin atomic
  select row(
    score.id, score.organization_id, score.lead_id, score.kind, score.lead_score, score.ai_reasoning, score.model,
    score.model_version, score.base, score.contributions, app.utc_text(score.created_at)
  )::api.score;
end;

comment on function scoring.score_item(scoring.score) is 'The eleven fields of a score, in the order of the body.';

grant execute on function scoring.score_item(scoring.score) to leads_exec;
