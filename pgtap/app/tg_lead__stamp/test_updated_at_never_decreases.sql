begin;
select plan(1);

insert into app.lead (organization_id, email, created_at, updated_at)
values (organization('alice'), 'ada@example.com', '2026-01-01', now() + interval '1 hour');
update app.lead set name = 'Ada';
select is(
  (select l.updated_at from app.lead as l), (now() + interval '1 hour')::timestamptz(3),
  'if the previous time is in the future'
);

select * from finish();
rollback;
