begin;
select plan(5);

select throws_ok($$update scoring.default_model set document = '{"base": 0.9, "rules": []}'$$, 'PT409', 'refused');
select throws_ok('delete from scoring.default_model', 'PT409', 'refused', 'no version can be deleted');
select throws_ok('truncate scoring.default_model', 'PT409', 'refused', 'or all of them');
select throws_ok(
  $$
    insert into scoring.default_model (version, document) values (1, '{"base": 0.9, "rules": []}')
    on conflict (version) do update set document = excluded.document
    where default_model.document is distinct from excluded.document
  $$,
  'PT409', 'refused', 'a migration that changes one fails'
);
select lives_ok(
  $$insert into scoring.default_model (version, document) values (2, '{"base": 0.9, "rules": []}')$$, 'a new version can be added'
);

select * from finish();
rollback;
