-- api.list_scores - GET /leads/{id}/scores.
set local role leads_exec;

create or replace function api.list_scores(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_scores.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_scores.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_scores.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(
        row(
          s.id, s.organization_id, s.lead_id, s.kind, s.lead_score, s.ai_reasoning, s.model, s.model_version, s.base,
          s.contributions, app.utc_text(s.created_at)
        )::api.score
      )::text
      from scoring.score as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_scores.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_scores.limit
  );
end $$;

comment on function api.list_scores(uuid, api.page_size, api.cursor) is
$$List the history of a lead's score, newest first.

kind is scored or set. scored: a model computed the score; model is own or default, and the entry has the version of the
model, its base, and the contributions. set: someone wrote the score to the lead, over the API or in SQL; the other
fields are null.$$;

grant execute on function api.list_scores(uuid, api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_scores', tag => 'Scoring', answer => 'api.score');
