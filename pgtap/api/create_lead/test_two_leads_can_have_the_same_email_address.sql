begin;
select plan(1);

select act_as('alice');
select isnt(
  made_lead('{"email": "ada@example.com"}'), made_lead('{"email": "ada@example.com"}'),
  'the second request creates another lead'
);

select * from finish();
rollback;
