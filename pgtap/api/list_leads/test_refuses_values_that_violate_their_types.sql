begin;
select plan(5);

select act_as('alice');
select throws_ok(
  $$select api.list_leads(0)$$, '23514',
  'value for domain api.page_size violates check constraint "page_size_within_1_and_200"'
);
select throws_ok(
  $$select api.list_leads(201)$$, '23514',
  'value for domain api.page_size violates check constraint "page_size_within_1_and_200"'
);
select throws_ok(
  $$select api.list_leads(cursor => 'e30')$$, '23514',
  'value for domain api.lead_cursor violates check constraint "lead_cursor_is_well_formed"'
);
select throws_ok(
  $$select api.list_leads(source => '{1,2,3,4,5,6,7,8,9,10,11}')$$,
  '23514', 'value for domain api.any_of violates check constraint "any_of_has_at_most_10_values"'
);
select is((api.list_leads(200, source => '{1,2,3,4,5,6,7,8,9,10}')).status, 200, 'up to 200 rows, up to 10 values');

select * from finish();
rollback;
