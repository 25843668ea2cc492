begin;
select plan(5);

create function test.walk(out ids text[], out pages integer, out last text)
language plpgsql
as $$
declare
  v_answer api.answer;
  v_cursor text;
  v_lines text[];
begin
  ids := '{}';
  pages := 0;
  loop
    v_answer := api.export_leads(cursor => v_cursor);
    v_lines := string_to_array(rtrim(v_answer.body, E'\n'), E'\n');
    v_cursor := v_answer.headers ->> 'Next-Cursor';
    pages := pages + 1;
    last := v_lines[cardinality(v_lines)];
    ids := ids || array(select l::json ->> 'id' from unnest(v_lines) as l where l::json ->> 'id' is not null);
    exit when v_cursor is null;
  end loop;
end
$$;

-- Many have the same time. Some are large, so that a page ends before it has 500 rows.
insert into app.lead (organization_id, email, pain_points, created_at)
select
  organization(a.actor),
  format('a%s@example.com', s),
  case when s % 100 = 0 then repeat('x', 10000) end,
  timestamptz '2026-01-01 12:00:00Z' + interval '1 millisecond' * (s / 50)
from generate_series(1, 1501) as s
cross join (values ('alice'), ('bob')) as a (actor);
create table test.walked (ids text[], pages integer, last text);
grant insert, select on test.walked to public;
select act_as('alice', 'read');

insert into test.walked select * from walk();
select is((select cardinality(w.ids) from test.walked as w), 1501, 'all leads');
select is((select count(distinct u.id) from test.walked as w, unnest(w.ids) as u (id)), 1501::bigint, 'each once');
select is((select w.last from test.walked as w), '{"complete":true,"rows":1501}', 'the number of rows');
select cmp_ok((select w.pages from test.walked as w), '>', 3, 'more pages than three of 500');
select cmp_ok(octet_length((api.export_leads()).body), '<', 262144 + 12000, 'a page is limited in bytes');

select * from finish();
rollback;
