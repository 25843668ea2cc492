begin;
select plan(1);

select act_as('dba');
insert into app.lead (organization_id, email, lead_score)
select organization('alice'), 'lead@example.com', s.score
from unnest(array[0, 9, 10, 89, 90, 99, 100]) as s (score);
select make_analyst('ana');

select act_as('ana');
select results_eq(
  'select c.score_from, c.score_to, c.lead_count from bi.score_calibration as c where c.lead_count > 0 order by c.score_from',
  $$values (0, 9, 2::bigint), (10, 19, 1), (80, 89, 1), (90, 100, 3)$$,
  'every other score is in the band that contains it'
);

select * from finish();
rollback;
