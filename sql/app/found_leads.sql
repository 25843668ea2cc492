-- app.found_leads - a page of the leads that a search finds.
set local role leads_owner;

create or replace function app.found_leads(
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
-- Without statistics the planner expects few leads, and would sort all of them to find the next ones.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := found_leads.organization_id;
  v_few integer := 200;
  v_most_entries integer := 5000;
  v_most_unindexed integer := 500;
  v_most_leads integer := 5000;
  v_unindexed uuid[] := app.unindexed_leads(v_organization_id, v_most_unindexed);
  v_is_indexed boolean := cardinality(v_unindexed) < v_most_unindexed;
  v_word text;
  v_rare text[] := '{}';
  v_count integer;
  v_lead app.lead_values;
  v_items text[] := '{}';
  v_read integer := 0;
  v_last_at timestamptz;
  v_last_id uuid;
  v_cursor text;
begin
  -- A word that has few leads leads to them. For all others, the leads themselves are read, newest first: most of them
  -- match, or the page ends early.
  -- Long words first, which are mostly the rarest.
  for v_word in
    select u.word from unnest(found_leads.words) as u (word) where v_is_indexed order by char_length(u.word) desc
  loop
    select count(*) into v_count
    from (
      select
      from app.lead_word as w
      where w.organization_id = v_organization_id and w.word >= v_word and w.word < v_word || U&'\+10FFFF'
      -- The order selects the index.
      order by w.word
      limit v_most_entries
    ) as w;
    if v_count < v_most_entries then
      v_rare := v_rare || v_word;
      -- The other words are compared with the few leads of this one.
      exit when v_count <= v_few;
    end if;
  end loop;

  if cardinality(v_rare) > 0 then
    for v_lead in
      with entry as (
        select distinct r.word, w.created_at, w.lead_id
        -- The end of the range is computed here, because || is not leakproof: with a column in it, row-level security
        -- would not let the index use it.
        from (select u.word, u.word || U&'\+10FFFF' as end_word from unnest(v_rare) as u (word) offset 0) as r
        cross join lateral (
          select w.created_at, w.lead_id
          from app.lead_word as w
          where w.organization_id = v_organization_id and w.word >= r.word and w.word < r.end_word
          order by w.word
          offset 0
        ) as w
      ),
      candidate as (
        select e.created_at, e.lead_id
        from entry as e
        where
          (e.created_at, e.lead_id) < (found_leads.before, found_leads.before_id)
          and e.created_at >= found_leads.start_at
          and e.lead_id <> all (v_unindexed)
        group by e.created_at, e.lead_id
        having count(*) = cardinality(v_rare)
        union all
        select l.created_at, l.id
        from unnest(v_unindexed) as u (id)
        cross join lateral (
          select l.created_at, l.id from app.lead as l where l.organization_id = v_organization_id and l.id = u.id offset 0
        ) as l
        where
          (l.created_at, l.id) < (found_leads.before, found_leads.before_id)
          and l.created_at >= found_leads.start_at
      )
      select l.*
      from (select c.created_at, c.lead_id from candidate as c order by c.created_at desc, c.lead_id desc) as c
      cross join lateral (
        select l.* from app.lead as l where l.organization_id = v_organization_id and l.id = c.lead_id offset 0
      ) as l
    loop
      -- Words of the entry may be old.
      if
        (found_leads.stages is null or v_lead.pipeline_stage = any (found_leads.stages))
        and (found_leads.sources is null or v_lead.source = any (found_leads.sources))
        and app.has_words(v_lead.name, v_lead.company, v_lead.email, found_leads.words)
      then
        v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
        exit when cardinality(v_items) > found_leads.page_size;
      end if;
    end loop;
    v_cursor := app.next_cursor(v_items, found_leads.page_size);
    return app.page(v_items, found_leads.page_size, v_cursor);
  end if;

  for v_lead in
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and (l.created_at, l.id) < (found_leads.before, found_leads.before_id)
      and l.created_at >= found_leads.start_at
    order by l.created_at desc, l.id desc
  loop
    if v_read = v_most_leads or cardinality(v_items) = found_leads.page_size then
      v_cursor := app.cursor_text(format(
        '{"created_at":"%s","id":"%s"}', app.utc_text(v_last_at), v_last_id
      ));
      exit;
    end if;
    v_read := v_read + 1;
    v_last_at := v_lead.created_at;
    v_last_id := v_lead.id;
    if
      (found_leads.stages is null or v_lead.pipeline_stage = any (found_leads.stages))
      and (found_leads.sources is null or v_lead.source = any (found_leads.sources))
      and app.has_words(v_lead.name, v_lead.company, v_lead.email, found_leads.words)
    then
      v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
    end if;
  end loop;
  return app.page(v_items, found_leads.page_size, v_cursor);
end $$;

comment on function app.found_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) is
$$The answer with the leads that have all words, newest first.

A word with less than 5,000 entries in app.lead_word leads to its leads. If there is no such word, or if 500 leads and more
wait for their words, up to 5,000 leads are read, newest first. Then a page can have fewer rows than page_size, and a next one.

words: those of app.search_words. stages, sources: the values of the filters; null: no filter. before, before_id: the upper
bound of the page, exclusive. start_at: the lower bound, inclusive. page_size: 1 to 200.$$;

grant execute on function app.found_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) to leads_exec;
