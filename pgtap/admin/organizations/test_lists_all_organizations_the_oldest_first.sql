begin;
select plan(2);

insert into app.organization (name, environment, created_at) values ('The first', 'live', '2026-01-01 09:00:00+09');
select act_as('operator');
select is(
  (select array_agg(o.name) from admin.organizations() as o),
  array['The first', 'The organization of alice', 'The organization of bob'], 'all'
);
select is(
  (select row(o.environment, o.created_at)::text from admin.organizations() as o limit 1),
  '(live,2026-01-01T00:00:00.000Z)', 'the oldest organization is first'
);

select * from finish();
rollback;
