begin;
select plan(1);

create function test.tags()
returns setof text
language sql
as $$
  select (api.update_lead(test.lead('ada@example.com'), format('{"lead_score": %s}', s))).headers ->> 'ETag'
  from generate_series(1, 50) as s
$$;

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select is((select count(distinct t) from tags() as t), 50::bigint, 'fifty changes in one transaction create fifty ETags');

select * from finish();
rollback;
