begin;
select plan(3);

create function test.paged(actions text[], sources text[], lead_id uuid, start_at timestamptz, end_at timestamptz)
returns uuid[]
language plpgsql
as $$
declare
  v_page json;
  v_cursor text;
  v_ids uuid[] := '{}';
begin
  loop
    v_page := (api.list_audit_events(7, v_cursor, actions, sources, lead_id, start_at, end_at)).body;
    v_ids := v_ids || array(select (e ->> 'id')::uuid from json_array_elements(v_page -> 'data') as e);
    v_cursor := v_page ->> 'next_cursor';
    exit when v_cursor is null;
  end loop;
  return v_ids;
end
$$;
create function test.expected(actions text[], sources text[], lead_id uuid, start_at timestamptz, end_at timestamptz)
returns uuid[]
language sql
security definer
as $$
  select array(
    select e.id
    from audit.event as e
    where
      e.organization_id = test.organization('alice')
      and (actions is null or e.action = any (actions))
      and (sources is null or e.source = any (sources))
      and (expected.lead_id is null or e.lead_id = expected.lead_id)
      and (start_at is null or e.created_at >= start_at)
      and (end_at is null or e.created_at < end_at)
    order by e.created_at desc, e.id desc
  )
$$;

insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
select
  event_id(t.at),
  organization(a.actor),
  (array['lead.created', 'lead.updated', 'lead.deleted'])[1 + s % 3],
  (array['api', 'sql', 'system', 'worker'])[1 + s / 3 % 4],
  format('00000000-0000-7000-8000-%s', lpad((s % 4)::text, 12, '0'))::uuid,
  '{}',
  sha256(''),
  t.at
from generate_series(1, 120) as s
cross join lateral (select timestamptz '2026-01-01 12:00:00Z' + interval '1 millisecond' * (s / 10) as at) as t
cross join (values ('alice'), ('bob')) as a (actor);
create table test.compared (paged uuid[], expected uuid[]);
grant insert, select on test.compared to public;

select act_as('alice', 'read');
insert into test.compared (paged, expected)
select
  paged(c.actions, c.sources, c.lead_id, c.start_at, c.end_at),
  expected(c.actions, c.sources, c.lead_id, c.start_at, c.end_at)
from (
  select *
  from (values
    (null::text[]), ('{lead.created}'), ('{lead.created,lead.deleted,lead.created}'), ('{lead.erased}')
  ) as g (actions)
  cross join (values (null::text[]), ('{sql}'), ('{api,worker,api}')) as s (sources)
  cross join (values
    (null::uuid), ('00000000-0000-7000-8000-000000000001'), ('00000000-0000-7000-8000-000000000009')
  ) as l (lead_id)
  cross join (values
    (null::timestamptz, null::timestamptz),
    ('2026-01-01 12:00:00.002Z', null),
    (null, '2026-01-01 12:00:00.009Z'),
    ('2026-01-01 12:00:00.002Z', '2026-01-01 12:00:00.009Z'),
    ('2026-01-01 12:00:00.009Z', '2026-01-01 12:00:00.002Z')
  ) as r (start_at, end_at)
) as c;

select is_empty(
  'select * from test.compared as c where c.paged is distinct from c.expected', 'all pages in their order'
);
select is((select count(*) from test.compared), 180::bigint, 'the number of combinations');
select cmp_ok(
  (select count(*) from test.compared as c where cardinality(c.paged) > 7), '>=', 40::bigint, 'combinations with more than one page'
);

select * from finish();
rollback;
