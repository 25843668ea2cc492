-- api.list_leads - GET /leads.
set local role leads_exec;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists api.list_leads(api.page_size, api.cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz);

create or replace function api.list_leads(
  "limit" api.page_size default 50,
  cursor api.lead_cursor default null,
  pipeline_stage api.any_of default null,
  source api.any_of default null,
  email api.any_of default null,
  start_at timestamptz default null,
  end_at timestamptz default null,
  phone text default null,
  reference text default null,
  updated_since timestamptz default null,
  "order" api.lead_order default null,
  q api.search_text default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_leads.limit + 1;
  v_bound record;
  -- Above every row.
  v_at timestamptz := 'infinity';
  v_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_start_at timestamptz := coalesce(list_leads.start_at, '-infinity');
  v_stage text;
  v_source text;
  v_words text[];
  v_items text[];
  v_cursor text;
begin
  -- The base64 of {"position".
  if list_leads."order" = 'updated_at' or list_leads.updated_since is not null or list_leads.cursor like 'eyJwb3NpdGlvbiI%' then
    perform app.raise_faults(422, 'validation_failed', app.order_faults(
      list_leads."order", list_leads.cursor,
      array[
        case when list_leads.pipeline_stage is not null then 'pipeline_stage' end,
        case when list_leads.source is not null then 'source' end,
        case when list_leads.email is not null then 'email' end,
        case when list_leads.start_at is not null then 'start_at' end,
        case when list_leads.end_at is not null then 'end_at' end,
        case when list_leads.phone is not null then 'phone' end,
        case when list_leads.reference is not null then 'reference' end,
        case when list_leads.q is not null then 'q' end
      ]
    ));
    return app.changed_leads(v_organization_id, list_leads.cursor, list_leads.updated_since, list_leads.limit);
  end if;
  if list_leads.cursor is not null or list_leads.end_at is not null then
    v_bound := app.page_bound(list_leads.cursor, list_leads.end_at);
    v_at := v_bound.created_at;
    v_id := v_bound.id;
  end if;

  if list_leads.q is not null then
    v_words := app.search_words(list_leads.q);
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.search_faults(list_leads.q, v_words, array[
          case when list_leads.email is not null then 'email' end,
          case when list_leads.phone is not null then 'phone' end,
          case when list_leads.reference is not null then 'reference' end
        ])) as fault
        union all
        select json_array_elements(app.lead_filter_faults(
          v_organization_id, list_leads.pipeline_stage, list_leads.source, null
        ))
      ) as f
    ));
    return app.found_leads(
      v_organization_id, v_words, list_leads.pipeline_stage, list_leads.source, v_at, v_id, v_start_at, list_leads.limit
    );
  end if;

  -- One statement for each combination of filters, because each has its own index: a condition such
  -- as (source is null or l.source = source) would prevent its use.
  if
    list_leads.pipeline_stage is null and list_leads.source is null and list_leads.email is null
    and list_leads.phone is null and list_leads.reference is null
  then
    v_items := array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (l.created_at, l.id) < (v_at, v_id)
        and l.created_at >= v_start_at
      order by l.created_at desc, l.id desc
      limit v_rows
    );
  elsif list_leads.phone is not null or list_leads.reference is not null then
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.lead_filter_faults(
          v_organization_id, list_leads.pipeline_stage, list_leads.source, list_leads.email
        )) as fault
        union all
        select json_array_elements(app.phone_filter_faults(list_leads.phone, list_leads.reference))
      ) as f
    ));
    v_items := array(
      select coalesce(f.item, app.computed_lead_item(f))
      from app.filtered_leads(
        v_organization_id, list_leads.pipeline_stage, list_leads.source, list_leads.email, list_leads.phone,
        list_leads.reference, v_at, v_id, v_start_at, v_rows
      ) as f
    );
  else
    perform app.raise_faults(422, 'validation_failed', app.lead_filter_faults(
      v_organization_id, list_leads.pipeline_stage, list_leads.source, list_leads.email
    ));

    -- Several values are one index scan each. The plan for them costs more, so one value has its own.
    v_stage := case when cardinality(list_leads.pipeline_stage) = 1 then list_leads.pipeline_stage[1] end;
    v_source := case when cardinality(list_leads.source) = 1 then list_leads.source[1] end;
    if list_leads.email is not null then
      v_items := array(
        select p.item
        from (select distinct lower(app.read_email(u.value) collate "C") as value from unnest(list_leads.email) as u (value)) as e
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
          from app.lead as l
          where
            l.organization_id = v_organization_id
            and l.email_key = e.value
            and (list_leads.pipeline_stage is null or l.pipeline_stage = any (list_leads.pipeline_stage))
            and (list_leads.source is null or l.source = any (list_leads.source))
            and (l.created_at, l.id) < (v_at, v_id)
            and l.created_at >= v_start_at
          order by l.created_at desc, l.id desc
          limit v_rows
        ) as p
        order by p.created_at desc, p.id desc
        limit v_rows
      );
    elsif v_stage is not null and v_source is not null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage_and_source = v_stage || '/' || v_source
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif v_stage is not null and list_leads.source is null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage = v_stage
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif v_source is not null and list_leads.pipeline_stage is null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.source = v_source
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif list_leads.source is null then
      v_items := array(
        select p.item
        from (select distinct u.value from unnest(list_leads.pipeline_stage) as u (value)) as g
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
          from app.lead as l
          where
            l.organization_id = v_organization_id
            and l.pipeline_stage = g.value
            and (l.created_at, l.id) < (v_at, v_id)
            and l.created_at >= v_start_at
          order by l.created_at desc, l.id desc
          limit v_rows
        ) as p
        order by p.created_at desc, p.id desc
        limit v_rows
      );
    elsif list_leads.pipeline_stage is null then
      v_items := array(
        select p.item
        from (select distinct u.value from unnest(list_leads.source) as u (value)) as s
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
          from app.lead as l
          where
            l.organization_id = v_organization_id
            and l.source = s.value
            and (l.created_at, l.id) < (v_at, v_id)
            and l.created_at >= v_start_at
          order by l.created_at desc, l.id desc
          limit v_rows
        ) as p
        order by p.created_at desc, p.id desc
        limit v_rows
      );
    else
      v_items := array(
        select p.item
        from (
          select distinct g.value || '/' || s.value as value
          from unnest(list_leads.pipeline_stage) as g (value)
          cross join unnest(list_leads.source) as s (value)
        ) as f
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
          from app.lead as l
          where
            l.organization_id = v_organization_id
            and l.pipeline_stage_and_source = f.value
            and (l.created_at, l.id) < (v_at, v_id)
            and l.created_at >= v_start_at
          order by l.created_at desc, l.id desc
          limit v_rows
        ) as p
        order by p.created_at desc, p.id desc
        limit v_rows
      );
    end if;
  end if;

  v_cursor := app.next_cursor(v_items, list_leads.limit);
  return app.page(v_items, list_leads.limit, v_cursor);
end $$;

comment on function api.list_leads(
  api.page_size, api.lead_cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz, text, text, timestamptz,
  api.lead_order, api.search_text
) is
$$List leads, newest first.

The order is created_at, then id, both descending. Filters match exact values. Several values of pipeline_stage, source
or email, separated by commas, match any of them; the parameter can also be repeated. A value that no lead can have, such
as an unknown stage, is an error (422). email ignores the case of A to Z. phone compares numbers, not their spelling: a
number without a country code is completed with that of the organization. reference is your own id of a lead. start_at
is inclusive, end_at exclusive. The pages contain every lead that existed when you requested the first page exactly once.
Rows do not become visible in the order of created_at: to follow changes, use order=updated_at.

q finds the leads whose name, company and email have all of its words, up to 5, each as the beginning of a word. Upper and
lower case are equal. Words are letters and digits; an e-mail address is also found by its beginning, if that has an @. With
q, a page can have fewer rows than limit and still have a next_cursor: go on until it is null. q can be combined with
pipeline_stage, source, start_at and end_at.

With order=updated_at or updated_since, the response has the leads that changed, in the order of their changes, each as it
is now. It always has a next_cursor. Store it, and go on with it later: if it stays the same, no further change has been
sealed. No change is missed, not even one of a long transaction. A change appears when the worker has sealed it in the
audit log, usually within a second. A lead can appear again although it is unchanged. limit is the number of changes.
Other filters are not allowed. A lead that was erased is in the audit log only (lead.erased). cursor_expired (400) means
that the cursor is from another database, or that the database was restored to an earlier time: read all leads again.$$;

grant execute on function
  api.list_leads(
    api.page_size, api.lead_cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz, text, text, timestamptz,
    api.lead_order, api.search_text
  )
to leads_api;

set local role leads_owner;
call api.document(
  'api.list_leads', tag => 'Leads', answer => 'api.lead_item', problems => '{validation_failed,cursor_expired}'
);
