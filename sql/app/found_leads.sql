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
  v_start_at timestamptz := found_leads.start_at;
  v_most_read integer := 5000;
  v_most_unindexed integer := 500;
  v_unindexed uuid[] := app.unindexed_leads(v_organization_id, v_most_unindexed);
  v_rarest record;
  v_first text;
  v_first_end text;
  v_first_stored text[];
  v_others text[];
  v_at timestamptz := found_leads.before;
  v_id uuid := found_leads.before_id;
  v_times timestamptz[];
  v_ids uuid[];
  v_batch integer := greatest(64, found_leads.page_size + 1);
  v_read integer := 0;
  v_lead app.lead_values;
  v_items text[] := '{}';
begin
  -- Each lead that waits for its words is read for every page. So if many wait, no entries are used.
  if cardinality(v_unindexed) < v_most_unindexed then
    v_rarest := app.rarest_word(v_organization_id, found_leads.words, v_at, v_id);
    v_first := v_rarest.word;
    v_first_stored := v_rarest.stored;
  end if;
  if v_first is null then
    return app.read_leads(
      v_organization_id, found_leads.words, found_leads.stages, found_leads.sources, v_at, v_id, v_start_at,
      found_leads.page_size
    );
  elsif v_first_stored is null then
    -- The end of the range is computed here, because || is not leakproof: in the query, row-level security would not let the
    -- index use it.
    v_first_end := v_first || U&'\+10FFFF';
    v_batch := v_most_read;
  end if;
  v_others := array_remove(found_leads.words, v_first);

  loop
    -- One of the first two parts is empty. The third has the leads that wait for their words.
    select coalesce(array_agg(c.created_at), '{}'), coalesce(array_agg(c.id), '{}') into v_times, v_ids
    from (
      select e.created_at, e.lead_id as id
      from unnest(v_first_stored) as s (word)
      cross join lateral (
        select w.created_at, w.lead_id
        from app.lead_word as w
        where
          w.organization_id = v_organization_id
          and w.word = s.word
          and (w.created_at, w.lead_id) < (v_at, v_id)
          and w.created_at >= v_start_at
          and w.lead_id <> all (v_unindexed)
        order by w.created_at desc, w.lead_id desc
        limit v_batch
      ) as e
      union
      select e.created_at, e.lead_id
      from (
        select w.created_at, w.lead_id
        from app.lead_word as w
        where v_first_end is not null and w.organization_id = v_organization_id and w.word >= v_first and w.word < v_first_end
        order by w.word
        offset 0
      ) as e
      where (e.created_at, e.lead_id) < (v_at, v_id) and e.created_at >= v_start_at and e.lead_id <> all (v_unindexed)
      union
      select l.created_at, l.id
      from unnest(v_unindexed) as u (id)
      cross join lateral (
        select l.created_at, l.id from app.lead as l where l.organization_id = v_organization_id and l.id = u.id offset 0
      ) as l
      where (l.created_at, l.id) < (v_at, v_id) and l.created_at >= v_start_at
      order by 1 desc, 2 desc
      limit v_batch
    ) as c;

    for v_lead in
      select l.*
      from (
        select c.id
        from unnest(v_ids) as c (id)
        where
          c.id = any (v_unindexed)
          or not exists (
            select
            from unnest(v_others) as o (word)
            where
              not exists (
                select
                from app.lead_word as w
                where w.organization_id = v_organization_id and w.lead_id = c.id and starts_with(w.word, o.word)
                offset 0
              )
          )
        offset 0
      ) as c
      cross join lateral (
        select l.* from app.lead as l where l.organization_id = v_organization_id and l.id = c.id offset 0
      ) as l
    loop
      if
        (found_leads.stages is null or v_lead.pipeline_stage = any (found_leads.stages))
        and (found_leads.sources is null or v_lead.source = any (found_leads.sources))
        and (
          v_lead.id <> all (v_unindexed)
          or app.has_words(v_lead.name, v_lead.company, v_lead.email, found_leads.words)
        )
      then
        v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
        exit when cardinality(v_items) > found_leads.page_size;
      end if;
    end loop;
    if cardinality(v_items) > found_leads.page_size or cardinality(v_ids) < v_batch then
      return app.page(v_items, found_leads.page_size, app.next_cursor(v_items, found_leads.page_size));
    end if;
    v_read := v_read + v_batch;
    v_at := v_times[v_batch];
    v_id := v_ids[v_batch];
    if v_read >= v_most_read then
      return app.page(v_items, found_leads.page_size, app.cursor_text(format(
        '{"created_at":"%s","id":"%s"}', app.utc_text(v_at), v_id
      )));
    end if;
    v_batch := least(4 * v_batch, v_most_read - v_read);
  end loop;
end $$;

comment on function app.found_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) is
$$The answer with the leads that have all words, newest first.

The entries of the rarest word in app.lead_word lead to the leads, newest first. The other words are compared with the stored
words of these leads. If each word is the beginning of more than 32 stored words with 5,000 entries and more, or if 500 leads
and more wait for their words, the leads themselves are read. At most 5,000 leads or entries are read for a page, so that a page
can have fewer rows than page_size, and a next one.

words: those of app.search_words. stages, sources: the values of the filters; null: no filter. before, before_id: the upper
bound of the page, exclusive. start_at: the lower bound, inclusive. page_size: 1 to 200.$$;

grant execute on function app.found_leads(
  uuid, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) to leads_exec;
