begin;
select plan(1);

select make_analyst('ana');
select act_as('ana');
select results_eq(
  $$
    select count(*), min(c.score_from), max(c.score_to), sum(c.lead_count), sum(c.won), sum(c.lost), count(c.win_rate_of_decided)
    from bi.score_calibration as c
  $$,
  $$values (10::bigint, 0, 100, 0::numeric, 0::numeric, 0::numeric, 0::bigint)$$,
  'all bands are empty'
);

select * from finish();
rollback;
