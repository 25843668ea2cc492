begin;
select plan(4);

select make_analyst('ana');
select count_stages();
select act_as('ana');
select results_eq(
  'select f.complete_until, f.time_zone from bi.freshness as f', $$values (now(), 'UTC')$$, 'nothing waits'
);
select move_lead('alice', gen_random_uuid(), null, 'new', '2100-03-01 10:00Z');
select act_as('ana');
select isnt((select f.complete_until from bi.freshness as f), now(), 'a change waits');
select count_stages();
select act_as('ana');
select is((select f.complete_until from bi.freshness as f), now(), 'it is counted');

select move_lead('bob', gen_random_uuid(), null, 'new', '2100-03-01 11:00Z');
select act_as('ana');
select is((select f.complete_until from bi.freshness as f), now(), 'another organization''s changes do not matter');

select * from finish();
rollback;
