begin;
select plan(3);

create function test.paged(stages text[], sources text[], emails text[], start_at timestamptz, end_at timestamptz)
returns uuid[]
language plpgsql
as $$
declare
  v_page json;
  v_cursor text;
  v_ids uuid[] := '{}';
begin
  loop
    v_page := (api.list_leads(7, v_cursor, stages, sources, emails, start_at, end_at)).body;
    v_ids := v_ids || array(select (l ->> 'id')::uuid from json_array_elements(v_page -> 'data') as l);
    v_cursor := v_page ->> 'next_cursor';
    exit when v_cursor is null;
  end loop;
  return v_ids;
end
$$;
create function test.expected(stages text[], sources text[], emails text[], start_at timestamptz, end_at timestamptz)
returns uuid[]
language sql
security definer
as $$
  select array(
    select l.id
    from app.lead as l
    where
      l.organization_id = test.organization('alice')
      and (stages is null or l.pipeline_stage = any (stages))
      and (sources is null or l.source = any (sources))
      and (emails is null or lower(l.email) in (select lower(e) from unnest(emails) as e))
      and (start_at is null or l.created_at >= start_at)
      and (end_at is null or l.created_at < end_at)
    order by l.created_at desc, l.id desc
  )
$$;

insert into app.lead (organization_id, email, pipeline_stage, source, created_at)
select
  organization(a.actor),
  format('%s%s@Example.com', case when s % 2 = 0 then 'ada' else 'eve' end, s % 5),
  (array['new', 'won', 'contacted'])[1 + s % 3],
  (array['web', 'ads', null, 'fair'])[1 + s / 3 % 4],
  timestamptz '2026-01-01 12:00:00Z' + interval '1 millisecond' * (s / 10)
from generate_series(1, 120) as s
cross join (values ('alice'), ('bob')) as a (actor);
create table test.compared (paged uuid[], expected uuid[]);
grant insert, select on test.compared to public;

select act_as('alice', 'read');
insert into test.compared (paged, expected)
select
  paged(c.stages, c.sources, c.emails, c.start_at, c.end_at),
  expected(c.stages, c.sources, c.emails, c.start_at, c.end_at)
from (
  select *
  from (values (null::text[]), ('{new}'), ('{new,won,new}'), ('{lost}')) as g (stages)
  cross join (values (null::text[]), ('{web}'), ('{web,fair,web}'), ('{nowhere}')) as s (sources)
  cross join (values
    (null::text[]), ('{ADA2@example.com}'), ('{ada0@example.com,EVE1@example.com}'), ('{no@example.com}')
  ) as e (emails)
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
select is((select count(*) from test.compared), 320::bigint, 'the number of combinations');
select cmp_ok(
  (select count(*) from test.compared as c where cardinality(c.paged) > 7), '>=', 40::bigint, 'combinations with more than one page'
);

select * from finish();
rollback;
