-- app.changed_leads - a page of the leads that changed, in the order in which their changes were sealed.
set local role leads_owner;

create or replace function app.changed_leads(
  organization_id uuid,
  cursor text,
  updated_since timestamptz,
  page_size integer
)
returns api.answer language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the next ones.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := changed_leads.organization_id;
  v_content json;
  v_position bigint := 0;
  v_last bigint;
  v_newest bigint;
  v_items text[];
  v_cursor text;
  v_answer api.answer;
begin
  if changed_leads.cursor is not null then
    v_content := app.cursor_content(changed_leads.cursor);
    v_position := v_content ->> 'position';
    -- In another database, and in one that was restored to an earlier time, the seal is missing or has another hash.
    if audit.seal_mark(v_organization_id, (v_content ->> 'newest')::bigint) is distinct from v_content ->> 'hash' then
      raise sqlstate 'PT400' using message = 'cursor_expired';
    end if;
  elsif changed_leads.updated_since is not null then
    v_position := audit.position_before(v_organization_id, changed_leads.updated_since);
  end if;

  -- Not more than 1,000 events, so that a page is not expensive. If none of them is about a lead, the page is empty, and
  -- its cursor is behind them.
  with changed as materialized (
    select s.position, e.lead_id
    from audit.seal as s
    cross join lateral (
      select e.lead_id, e.action
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = s.event_id and e.created_at = s.created_at
      -- OFFSET prevents a join that would read all events.
      offset 0
    ) as e
    where
      s.organization_id = v_organization_id
      and s.position > v_position
      and s.position <= v_position + 1000
      and e.action in ('lead.created', 'lead.updated', 'lead.scored')
    order by s.position
    limit changed_leads.page_size
  )
  select
    case when (select count(*) from changed as c) = changed_leads.page_size then (select max(c.position) from changed as c) end,
    array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from (select c.lead_id, max(c.position) as position from changed as c group by c.lead_id) as c
      join app.lead as l on l.organization_id = v_organization_id and l.id = c.lead_id
      order by c.position
    )
  into v_last, v_items;
  if v_last is null then
    select s.position into v_last
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > v_position and s.position <= v_position + 1000
    order by s.position desc
    limit 1;
  end if;
  v_position := coalesce(v_last, v_position);

  -- The leads are shown as they are now, so the cursor names the newest seal: after a restore to a time in between, the
  -- client has what the database has lost.
  select s.position into v_newest
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_newest := coalesce(v_newest, 0);
  v_cursor := app.cursor_text(format(
    '{"position":%s,"newest":%s,"hash":"%s"}', v_position, v_newest, audit.seal_mark(v_organization_id, v_newest)
  ));
  v_answer := app.page(v_items, changed_leads.page_size, v_cursor);
  if v_cursor = changed_leads.cursor then
    -- No header Link, which a client would follow at once, and without an end.
    v_answer.headers := null;
  end if;
  return v_answer;
end $$;

comment on function app.changed_leads(uuid, text, timestamptz, integer) is
$$The answer with the leads that changed, each as it is now and once, in the order of their last change in the page.

The order is that of the seals in the audit log. The sealer sees committed events only. An event that is committed later gets
a later position, so no page passes a transaction that is still open.
cursor: the next_cursor of the previous page; null: the first page. updated_since: the first page begins with the first event
that was sealed at that time or later; null: with the first event of all. page_size: the number of changes, 1 to 200. The
answer always has a next_cursor. If it is the same as cursor, no further change was sealed.
Raises PT400 cursor_expired if the database does not have the seal in the cursor.$$;

grant execute on function app.changed_leads(uuid, text, timestamptz, integer) to leads_exec;
