-- app.read_leads - a page of the leads that a search finds without app.lead_word.
set local role leads_owner;

create or replace function app.read_leads(
  organization_id uuid,
  words text[],
  stages text[],
  sources text[],
  before timestamptz,
  before_id uuid,
  start_at timestamptz,
  page_size integer
)
returns api.answer language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
-- As app.found_leads.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := read_leads.organization_id;
  v_at timestamptz := read_leads.before;
  v_id uuid := read_leads.before_id;
  v_read integer := 0;
  v_lead app.lead_values;
  v_items text[] := '{}';
begin
  for v_lead in
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and (l.created_at, l.id) < (read_leads.before, read_leads.before_id)
      and l.created_at >= read_leads.start_at
    order by l.created_at desc, l.id desc
  loop
    if v_read = 5000 or cardinality(v_items) = read_leads.page_size then
      return app.page(v_items, read_leads.page_size, app.cursor_text(format(
        '{"created_at":"%s","id":"%s"}', app.utc_text(v_at), v_id
      )));
    end if;
    v_read := v_read + 1;
    v_at := v_lead.created_at;
    v_id := v_lead.id;
    if
      (read_leads.stages is null or v_lead.pipeline_stage = any (read_leads.stages))
      and (read_leads.sources is null or v_lead.source = any (read_leads.sources))
      and app.has_words(v_lead.name, v_lead.company, v_lead.email, read_leads.words)
    then
      v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
    end if;
  end loop;
  return app.page(v_items, read_leads.page_size, null);
end $$;

comment on function app.read_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) is
$$The answer of app.found_leads, whose arguments it has, if no word leads to the leads: at most 5,000 leads are read, newest first.$$;

grant execute on function app.read_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) to leads_exec;
