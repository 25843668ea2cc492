-- api.list_signals - GET /leads/{id}/signals.
set local role leads_exec;

create or replace function api.list_signals(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_signals.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_signals.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_signals.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(scoring.signal_item(
        s.id, s.organization_id, s.lead_id, s.type, s.value, s.observed_at, s.dedupe_key, s.created_at
      ))::text
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_signals.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_signals.limit
  );
end $$;

comment on function api.list_signals(uuid, api.page_size, api.cursor) is
$$List the signals of a lead, newest first.

The order is created_at, then id, both descending.$$;

grant execute on function api.list_signals(uuid, api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_signals', tag => 'Scoring', answer => 'api.signal');
