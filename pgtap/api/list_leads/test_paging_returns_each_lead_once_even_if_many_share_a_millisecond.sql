begin;
select plan(2);

-- Pages of 7 leads, the newest first. A newer lead is added before each page except the first.
create function test.paged_ids()
returns setof uuid
language plpgsql
as $$
declare
  v_page json;
  v_cursor text;
begin
  loop
    v_page := (api.list_leads(7, v_cursor)).body;
    return query select (l ->> 'id')::uuid from json_array_elements(v_page -> 'data') as l;
    v_cursor := v_page ->> 'next_cursor';
    exit when v_cursor is null;
    perform api.create_lead('{"email": "new@example.com"}');
  end loop;
end
$$;
insert into app.lead (organization_id, email, created_at)
select
  organization('alice'),
  format('old%s@example.com', s),
  timestamptz '2026-01-01 12:00:00Z' + interval '1 millisecond' * (s % 3)
from generate_series(1, 100) as s;
create table test.initial as
select l.id, row_number() over (order by l.created_at desc, l.id desc) as position from app.lead as l;
grant select on test.initial to public;

select act_as('alice');
select results_eq(
  'select paged_ids()', 'select s.id from test.initial as s order by s.position',
  'the leads that existed at the start, in their order'
);
select is(
  json_array_length((api.list_leads(200)).body::json -> 'data'), 114, 'fourteen leads were added in the meantime'
);

select * from finish();
rollback;
