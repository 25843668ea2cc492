begin;
select plan(1);

select act_as('dba');
insert into app.lead (organization_id, email, lead_score, pipeline_stage)
select organization(l.actor), 'lead@example.com', l.score, l.stage
from (values
  ('alice', 85, 'won'), ('alice', 85, 'won'), ('alice', 85, 'lost'), ('alice', 85, 'proposal'),
  ('alice', 15, 'new'),
  ('bob', 85, 'lost')
) as l (actor, score, stage);
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select c.score_from, c.lead_count, c.won, c.lost, c.win_rate_of_decided
    from bi.score_calibration as c
    where c.lead_count > 0
    order by c.score_from
  $$,
  $$values (10, 1::bigint, 0::bigint, 0::bigint, null::float8), (80, 4, 2, 1, 0.6667)$$,
  'only alice''s leads; no lead with a score from 10 to 19 is decided'
);

select * from finish();
rollback;
